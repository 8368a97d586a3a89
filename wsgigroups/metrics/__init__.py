"""What is measured, as samples. Pure: facts that the manager gathers go in, text that Prometheus reads comes out."""
