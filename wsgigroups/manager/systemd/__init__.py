"""What a manager tells the service manager that started it, and what that gives it. In the manager's only thread."""
