"""What `todo-api doctor` checks if the database is part of a Citus cluster."""

from collections.abc import Callable

from handlers.authentication.rules import LEEWAY_SECONDS
from handlers.service.findings import Status, Verdict
from storage.administration.cluster import Node, locales_fault
from storage.administration.diagnosis import Cluster
from storage.administration.distribution import ON_ALL_NODES, misplaced_fault

_SERVICE_IS_INDEPENDENT = "the service works with any, but your own queries may not"


def _coordinator(cluster: Cluster) -> Verdict:
    if not cluster.is_coordinator:
        return "fault", "The connection leads to a worker: point DATABASE_URL at the coordinator."
    return "ok", "The connection leads to the coordinator."


def _distribution(cluster: Cluster) -> Verdict:
    found = cluster.placements
    if fault := misplaced_fault(found):
        return "fault", fault
    if local := [name for name, placement in found.items() if placement == "local"]:
        # While none is distributed, the service works, on the coordinator alone.
        status: Status = "advice" if len(local) == len(found) else "fault"
        return status, f"The coordinator alone has {', '.join(local)}: run todo-api distribute."
    if not found:
        return "skip", "Not checked: there are no tables yet."
    by_user = [name for name in found if name != ON_ALL_NODES]
    return "ok", f"Distributed by user_id, in one colocation group: {', '.join(by_user)}. On all nodes: {ON_ALL_NODES}."


def _nodes(cluster: Cluster) -> Verdict:
    if away := cluster.nodes.away:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in away.items())
        return "fault", (
            f"{', '.join(away)} cannot be reached, and its users get 503: start it, enable it with "
            "citus_activate_node, or let its standby replace it with citus_update_node. If it runs, create the "
            f"service's role on it, and its password in pg_dist_authinfo of all nodes. {reasons}"
        )
    return "ok", f"{', '.join(cluster.nodes.alive)} respond."


def _locales(cluster: Cluster) -> Verdict:
    if fault := locales_fault(cluster.nodes):
        return "fault", fault
    return _same("locale", cluster, lambda node: node.locale, "users that move to another node see another order")


def _time_zones(cluster: Cluster) -> Verdict:
    return _same("TimeZone", cluster, lambda node: node.time_zone, _SERVICE_IS_INDEPENDENT)


def _date_styles(cluster: Cluster) -> Verdict:
    return _same("DateStyle", cluster, lambda node: node.date_style, _SERVICE_IS_INDEPENDENT)


def _isolation(cluster: Cluster) -> Verdict:
    strict = [name for name, node in cluster.nodes.alive.items() if node.isolation != "read committed"]
    if strict:
        return "advice", (
            f"default_transaction_isolation is stricter than 'read committed' on {', '.join(strict)}: "
            "set it to that, or more writes of the same user conflict and get 503."
        )
    return "ok", "The nodes' default_transaction_isolation is 'read committed'."


def _clocks(cluster: Cluster) -> Verdict:
    seconds = {name: node.clock_ahead for name, node in cluster.nodes.alive.items()}
    if wrong := [f"{name} ({ahead:+.0f} s)" for name, ahead in seconds.items() if abs(ahead) > LEEWAY_SECONDS]:
        return "fault", (
            f"The clock of {', '.join(wrong)} differs from this machine's, and the times of tasks come from it: "
            "synchronise all nodes with NTP."
        )
    return "ok", f"The nodes' clocks and this machine's are at most {LEEWAY_SECONDS} s apart."


def _same(what: str, cluster: Cluster, value_of: Callable[[Node], str], why: str) -> Verdict:
    """Return advice if the nodes differ in `what`; `why` says what that leads to."""
    names: dict[str, list[str]] = {}
    for name, node in cluster.nodes.alive.items():
        names.setdefault(value_of(node), []).append(name)
    if len(names) > 1:
        values = ", ".join(f"{value} on {', '.join(there)}" for value, there in names.items())
        return "advice", f"The nodes' {what} differs ({values}): set the same on all nodes; {why}."
    return "ok", f"The nodes' {what} is {''.join(names) or 'unknown'}."


CLUSTER_CHECKS: dict[str, Callable[[Cluster], Verdict]] = {
    "coordinator": _coordinator,
    "distribution": _distribution,
    "nodes": _nodes,
    "locales": _locales,
    "time-zones": _time_zones,
    "date-styles": _date_styles,
    "isolation": _isolation,
    "clocks": _clocks,
}
