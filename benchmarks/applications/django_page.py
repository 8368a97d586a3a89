"""The measured Django page: a route with a converter, a template of twenty rows, no database.

`/items/7?page=2&q=word` renders; `/` is for who only wants to know whether it is there.
"""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>{{ words }}, page {{ page }}</title></head>
<body><h1>Item {{ number }} for {{ words|upper }}</h1>
<table>{% for row in rows %}
<tr class="{% cycle 'odd' 'even' %}"><td>{{ row.id }}</td>
<td>{{ row.name|title }}</td><td>{{ row.price|floatformat:2 }}</td></tr>
{% endfor %}</table></body></html>
"""

settings.configure(
    SECRET_KEY="only for benchmarks",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    ("django.template.loaders.cached.Loader",
                     [("django.template.loaders.locmem.Loader", {"page.html": PAGE})]),
                ],
            },
        },
    ],
)  # fmt: skip


def index(_request):
    return HttpResponse("Hello, World!\n", content_type="text/plain")


def item(request, number):
    page = int(request.GET.get("page", "1"))
    rows = [{"id": number + place, "name": f"thing {page}.{place}", "price": place * 1.25} for place in range(20)]
    words = request.GET.get("q", "")
    return render(request, "page.html", {"number": number, "page": page, "words": words, "rows": rows})


urlpatterns = [path("", index), path("items/<int:number>", item)]
application = get_wsgi_application()
