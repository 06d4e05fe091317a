"""Numbers from saved predictions: cells of tables, statistics over seeds, outcomes of claims."""
