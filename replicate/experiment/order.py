"""The order of training: one table after the other, so that each can be shown long before the last run is complete."""

from __future__ import annotations

from collections.abc import Sequence

from replicate.experiment.plan import Plan
from replicate.runner.tasks import Task, cost


def table_by_table(plan: Plan, todo: Sequence[Task]) -> list[Task]:
    """Return the runs that are still to be trained, those of the table that is complete soonest first.

    The next table is always the one whose runs cost least, not counting those of the tables before it. Within a table
    the order of ``todo`` stays, so that teachers come before students.
    """
    costs = {task.key: cost(task, plan.graph.corpora[task.corpus]) for task in todo}
    needs = {table.name: plan.runs_of(table) & costs.keys() for table in plan.tables}
    ordered: dict[str, Task] = {}
    while needs:
        left = {name: keys - ordered.keys() for name, keys in needs.items()}
        soonest = min(left, key=lambda name: sum(costs[key] for key in left[name]))
        ordered.update((task.key, task) for task in todo if task.key in left[soonest])
        del needs[soonest]
    return list(ordered.values())
