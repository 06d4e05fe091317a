"""Lists of who speaks when in a recording, in the formats of annotation programs; CSV and RTTM have modules above."""
