"""What people read of it: pages, notices, gauges."""
