"""Feature streams from recordings, by openSMILE and HuBERT; needs the optional packages ``[audio]``."""
