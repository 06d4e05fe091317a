"""Predict from recordings: extract the features, predict each utterance, and write the result as a timeline."""
