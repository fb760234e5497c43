"""Callers served by processes of their own: each answers queries by itself and hands commands on to the one that writes.

    caller ── HTTP ──► reader process: Gateway ── frames over a socket pair ──► writer process: Hub ── Cloud
                              │ queries                                              │ commits
                              └──────────── the store ───────────────────────────────┘

The writer's process opens the store and starts the readers' before it. If any of them falls, all end, and whoever started them starts
them again: there is no state in which some of it runs.
"""
