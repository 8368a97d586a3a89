"""What others see of the manager without asking its control API: metrics and health."""
