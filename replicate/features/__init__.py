"""Feature streams from recordings (openSMILE, HuBERT; with the optional packages ``[audio]``) and from transcripts."""
