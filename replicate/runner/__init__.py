"""Train the runs of a plan: the task graph, the schedule, and two engines (processes of this machine, or Ray)."""
