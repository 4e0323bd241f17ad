"""The embedded default: everything pushjobs needs, on one machine, without root and without Docker.

Two real servers, PostgreSQL and Valkey, come out of Python wheels; the application's processes run beside them under a
supervisor. The servers outlive whoever started them, because they hold the data; the application's processes do not,
because a forgotten worker would go on sending.
"""
