"""The first application of the Dash tutorial; `server` is what its deployment page hands to a WSGI server."""

from dash import Dash, Input, Output, callback, dcc, html

app = Dash(__name__)
app.layout = html.Div([html.H1("Visits"), dcc.Input(id="name", value="nobody"), html.Div(id="greeting")])
server = app.server


@callback(Output("greeting", "children"), Input("name", "value"))
def greet(name):
    """Answer what is typed."""
    return f"Hello, {name}"
