"""Plans that once found something, made smaller: each must stay without a finding."""

from __future__ import annotations

import pytest

from usernym.testing.loop import Quiet, replayed
from usernym.testing.run import play

FOUND = {
    "a login that a killed client had left in the mixnet took the route from its next life": (
        "eNqNkE0KwyAQhe_iehD_G9e9QHddiAvTGhIIEYy5f6c2gXZRzGIYeG--8TmOg2XGWBAwhHmN4Dw4R-55KpEACfP0ePc-9QQEQ--MVaVjoEndwraixCgT"
        "5u8W3lhyzWEdUVrSEx0LpKS8IEaVqmQMZYy5voLF966h5C1CZxRD4VxOrqm5yJ_gnZaN7x8slVZ-x92HGEJxSPlzBu_9CxbXcro="
    ),
    "a heartbeat whose answer could not be noted was under way for ever": (
        "eNpNjcEKwyAQRP9lz8tiTNTkXnLuoZCDeFjSFKSSgNb_r4aGepp9vGXGdqiE0hP2-OKQNrQOrYUl-s8GCCvHI5Tk4NfCXZFw55zKLUgaXXnm-P-A_"
        "XiWGElUddVc8lcnT_nIcU-Avalw8-k959BsyZFUMzfQMJmGJWltnHNfGyk3ig=="
    ),
    "a proof of login that was refused for want of room was good in another's hands": (
        "eNptkDELwyAQhf_LzUeIJjTJ3FLo1qHQQRxMYmlaUdDY318NpsTQxePue_p8xwi2pGtqrPEhlJPIODIGV-GdBCyLsmnDAE6Te5-9UoCgzRgILco4v9tp"
        "Dh2M4hOLUNMQYcZ604dzENaoFd281Q6QNFtdupwrL_olh3n_ZJL891vh4pujnQWJ7GiFe_4iUITZWL1EjzQtIsSt6k1PaHGouu0HScc5_wKd52Dt"
    ),
    "a clock that was wrong for a moment kept a user from logging in for as long as it had been wrong by": (
        "eNqLNtQxNTXSMdJJS8wpTtWJjtWJjlbyzazISy1xyUwtVtJRSspPUoLIAuWUnHPyk7O9SnMLgDJ5-SmpSjqWBkAAkgpILC0G8s30DA2MQfzw"
        "osySVJgBSok5mclAnhFYKYoFEGMgNsTGAgB-1CxV"
    ),
    "a proof of login that was quicker from another's mixnet client opened the route there": (
        "eNptjzEPwiAQhf8L86U5ak3orIuTDiYOhIE2YDCkTYD-f6EFpdGJvHd333twChSR0g7hAFpar4AL4Jw8nAmKAJHWjOkd5oGkVYxTclrCVevojtLN"
        "lkDLGpb8cpTtctyuR_fFTT6Kvt5csR8M1qNdckbIpz-bYibnJhcfNTa4cXMI7f7VqUm5DKvF8bfZ7gffsI1_mV5qDDGtF0K8AXDTX1I="
    ),
    "a name that got another identity between the answers about its record and its chain was refused": (
        "eNp9jz8LgzAQxb9L5iCJxtaObh0sdCh0CBnOGFEUI0kc-u2b-KdIS52Ox3v37nec4iwjNKE4xjX0VmEuMOfoaVqnEEbQtzLMUpcIx8R7qNC6y92X"
        "F4wrDJVtoPvZQyClGt0cusNkvUGilLHDtjXIIpIEeQPZtIMqtHVbrTOTCtZjMoP1dKcgNvD18FK6gB_8dND-_ytd18rsWeOIzQy5cyA7n_Ad1euT"
        "N2rswUvKyG6J0uicXoQQbyKwdl4="
    ),
    "the answer to a seal that the recipient could not open ended the text's sealing again": (
        "eNplj80KwjAQhN8l51BirdWr9OKhogfBQ-hh2ya0NGQhPz6_G6u0ag6BmfmYYeWGbwW9Q8kLHlxUXDZcSnYC2_sBJsU4a7GlH8zYJYVaK8cI"
        "Ync3BrVKOnBoGM9FCmvE6RgW902l6ArREy8yUeZJVw78sPQIWlQa3Yysh3p4_O1UMVy0JtdiT2FRZPtk36KznphdEmfohtGqGn34nKPBeLXu"
        "no_8qv6ZfRGUNM0TarVb0w=="
    ),
}


@pytest.mark.parametrize("line", FOUND.values(), ids=FOUND.keys())
def test_what_was_found_once(line: str) -> None:
    with Quiet():
        assert play(replayed(line)).wrong == ()
