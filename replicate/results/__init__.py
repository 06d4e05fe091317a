"""Numbers from saved predictions: cells of tables, statistics over seeds and dialogues, outcomes of claims."""
