"""How responses and measurements are compared: functions on arrays."""
