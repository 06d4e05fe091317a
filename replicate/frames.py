"""Tables of values as pandas data frames. pandas is optional, and only imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from replicate.errors import MissingExtra

if TYPE_CHECKING:
    import pandas


def frame(columns: Mapping[str, Any]) -> pandas.DataFrame:
    """Return a data frame of these columns.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtra("to_pandas() needs pandas, which is not installed: run `pip install pandas`") from error
    return pandas.DataFrame(dict(columns))
