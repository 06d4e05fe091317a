"""The content of the known corpora: run keys contain these hashes, so a change makes every saved run stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from replicate.corpus import load

HASHES = {
    "synthetic-tiny": "36747d033b96b3062a0504f3342252fe98e8bfe2b4fbe470b1e444100288de81",
    "synthetic-small": "17c04730a75fb6844ca816e4e8c76fde0705f53c6508e14d7eb35c0db22b3bff",
    "synthetic-null-tiny": "2efda3b87c6ccc13548397d05b8bc02c332c0174681e0c845d5274d275092c02",
    "synthetic-null-small": "7ae5131826ce3e948fabd2392b730de739d21ad1907c82cb0474631f8183478a",
    "synthetic-null": "264ce3e633b5f6a4e488e0aa34ac2e571c4e16102789eb75409d66670d77a2fc",
    "synthetic": "c58e9247eedfd5107a46c192db67e022592d65b7c628130d55be03fd3e9a3d11",
}
FILES = {
    "mosi": "d220eabb2a24e4ffaea186f5d159bfc43b1b01c151177b06e14e7fd3e4e75c98",
    "iemocap/iemocap4.npz": "b915aca03ef97c600e17d73e7c9eb46b57e857d38e5393e61d7b33fe09256fb5",
    "iemocap/iemocap4_cogmen_selection.npz": "698d97e12ab60a8416d522159eafc73c24e1ca533e2cee08930f50d7f9f086eb",
    "iemocap/iemocap6.npz": "53feaab56824e08c57c35cb48d91edeea30cb588ea5fcca9e6b38d1a98fc735f",
    "ravdess/ravdess4.npz": "bc785b9fcbdcb38e4b9ba6fc599930e78f89dba438e2667cd9abb5c6e4c21440",
    "ravdess/ravdess8.npz": "b0faa073b0e0ae605b4390c428f261cf322920ad36d1aa76ab845104c15df0f0",
    "iemocap4_format": "92324512f75ef26f8f63fdd0f10c11c3d0034a4bcc01ec9f4c6c46899d9e58ac",
    "iemocap4_format/data_iemocap_4.pkl": "f5a986626c45088b834847a52fb24932e51ec28b9841869e6dd5b8f3c66e6217",
}


@pytest.mark.parametrize("name", HASHES)
def test_generated_corpora_are_the_same_in_every_version(name: str) -> None:
    assert load(name).hash == HASHES[name]


@pytest.mark.parametrize("path", FILES)
def test_published_corpora_are_the_same_in_every_version(path: str, shared_data: Path) -> None:
    assert load(shared_data / path).hash == FILES[path]
