"""Feature streams from recordings, by openSMILE and HuBERT. Needs the optional extra ``[audio]``."""
