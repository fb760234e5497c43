"""HTTP/JSON under `/v1`, built from the route tables of the domains; nothing in here knows what a message means."""
