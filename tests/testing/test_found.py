"""Plans that once found something, made smaller: each must stay without a finding."""

from __future__ import annotations

import pytest

from usernym.testing.loop import Quiet, replayed
from usernym.testing.run import play

FOUND = {
    "a handshake that was asked for last was looked at before it had begun": (
        "eNpNTbsOgzAM_BfPFqIUaNZuHTsgMUQZDHUAESVSHPr9TYYipnvqTt_w3vTYoiUnjNqg1jDGLTEgkNvmglOYAJs6Z_BMieY9e_y9NlzwC0v6"
        "t950SLbrqlePi1aV6lTRwxG9AHaFv8h_ZKX9PDpHg7UcwRjzA6TSMOc="
    ),
    "a login at a worker that had not joined again ended later, and its user was not to log in again": (
        "eNptj00LgzAMhv9Lz5m0Vt15zOtgsMEOxUPUyASxo9V9_PvVVvcBXgJv3jdPEiUgi9MEEmiwswSqAKXYxbQDMWClLl2t8e6EyLjz2BFH65SM0nQ7"
        "6SWKXVt9RsSvE8aDEXvGqSO6uVava9rIqRvxNVaFRnfL0Lw4jiTPJp3jgCVa2j3wxSANhEP77GnIW7IznoW_1ujhrj84jwT3X-0N2us3K9z51Gjj"
        "I0kCgxk98jya3m0SvChAFm9yomED"
    ),
    "a client looked for room in its account again and again in one moment, by how two sums were rounded": "soak:0:2",
    "a client whose contact knew its address got nothing from the node for a day, since so much had been lost": (
        "soak:7000002:3"
    ),
    "a client beside a nym-client that had lost as much got no part of a file ever again": "soak:7000063:4",
    "a node delivered what it called the client's own message, which was looked up without end": "mixed:8000763:2",
    "the simulation waited a day for SURBs of a nym-client that never die while others come and go": "soak:7001090:5",
    "the simulation took a first contact's identity for a changed one, since an unknown one had been looked at": (
        "eNqLNtQxNzIwsDAz0jHWSUvMKU7ViY7ViY5Wci4t8U9LU9JRystPSVXSMTXQMwWKK4VkpKaVAEWTE4vyc4B0Un4SkExMK0ktUgLJhxdllqTC"
        "xaGqjAxiY2MBSUke2A=="
    ),
    "the simulation had a user block someone who had not written": (
        "eNqLNtQxNzIwMDQ11DHWSUvMKU7ViY7ViY5WciwpSUzOVtJRSi1LBZKJOZnJILo0L78gNS8xKQfIMTIAqlQKLknMwVSXlJMP1B0bGwsAZnMd"
        "LQ=="
    ),
    "a client took a node for starved that had asked twice, and its mixnet client was renewed again and again": (
        "eNp1j0ELwjAMhf9Lz0HWKRse_QfePJQyui1KsTaj6QT99cYVUUQv70Hel_BiNLR1Vel2DRs4usAIxoIxapezG84KVE7zeBPvqRedyDNFBVqgN4NX"
        "FB3dYoHiCTkrqKsndEg-f6TLmZLs3cwy0s1q2_y6N7hEQXyONGF0fcDX5h_QXyZi9gJ27O_43aB8UHpIYu0DWYtMXg=="
    ),
    "the simulation let a thief read a home whose disk was to fail": (
        "eNqLNtSxMDEwMLEw1jHSSUvMKU7ViY7ViY5WcsksznYtKsovKlbSUUrMyUxOVdIxBMoohWSkppUgxJSS8pNAZGpaflGqUmxsLADhYRjE"
    ),
    "the simulation looked into a home whose disk was to fail, and took that for the client's failure": (
        "eNqLNtQxNTM20jHWSUvMKU7ViY7ViY5WcsksznYtKsovKlbSUUrKT1LSMQKKK_kmJmdk5qX65BeXwMRLikpTY2N1jGMBK_oWtg=="
    ),
    "a login that a killed client had left in the mixnet took the route from its next life": (
        "eNqNkLsKwzAMRf_FszB2_Gg89we6ZTAenNYhgRCD4vx_1TygHUoyGMG9OtK1vAQnrHVQQRfHOYEP4D1rcCiJAYvj8PzUNrcMKkHeFWuVjoZT"
        "6hGXmSTBRWX_TpEnQ-4Y556kKb_IccBKxokwrvX2sZVPsfQJ11305F4NFFwS1FYLEq6llYbbm_qJXxt1coSD5cqp79B7kyAodRm3Y-yxQ3gD"
        "96N3KA=="
    ),
    "a heartbeat whose answer could not be noted was under way for ever": (
        "eNpNjcEKwyAQRP9lz8tiTNTkXnLuoZCDeFjSFKSSgNb_r4aGepp9vGXGdqiE0hP2-OKQNrQOrYUl-s8GCCvHI5Tk4NfCXZFw55zKLUgaXXnm-P-A_"
        "XiWGElUddVc8lcnT_nIcU-Avalw8-k959BsyZFUMzfQMJmGJWltnHNfGyk3ig=="
    ),
    "a proof of login that was refused for want of room was good in another's hands": (
        "eNptkDEPgyAQhf_LzRciaqrObZq4dWjSgTAg2tSWQALa31-w2oDpArn7Hvd4xyjWtKlKLPEulBuQcWQMLmJ2A2BGsqr2DTiN7nWelQIEbXpP"
        "cpKF_s2Ok6-gF-9wCTXKABPWmc6fUlijNnSdrXaAtIp16-NU2ernIKf9yFXy32-Di2-KdhY0sKMV7vGLkCNMxuol-ncjQbOuw4cuyqimOTkU"
        "TfxN2nDOPwV5YyQ="
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
        "eNplj8EOgjAQRP-l542piOjVcPGA0YOJh4bDAm0gkG7SFr_frWhA6aHJzLzMZNUWdpLfMYMUghs1qBKUEme0jW-x1wJERRX_OHR1VGSMdoIh"
        "8XBd0IukRkeDgETGsCDqT2F2P1SMbjh65uVGZknUuUPfzj2SF7UhNyFgcPB6Odfgc7WWj-FqDLuWGg7TdHOI9n101jOzj-KCddtZXZAP36NW"
        "3dOpP9V_s2-Ck7J8AdYKXgo="
    ),
    "a text that was sealed again was dropped, since its former seal still waited for a recipient who can't open it": (
        "eNqNUE8PgiAU_y6c3xwQofc65uzWgXlAwsXmZBPY-vhhZqnV9MT4_Xu_9wSBFGNMGIMd1LJxGkQJQqBLZ7xGgGRjVP8q2dkGAcWRRWcZXAQJ"
        "T3jKe2CLGid7nvX_3Nxb7Y9Gu6hs7TVyvgt6mvPyj3lDziH4oq7fHkqTbNWzLFbZ6qsWp_RXzkT6ZwSJl5slYZatJOVS3UyrT9b5kVju_gTn"
        "F9xQbXB9di_LB4S-i88="
    ),
    "a step of a handshake whose disk failed was never answered": (
        "eNqLNtQx1DHSSUvMKU7ViY7ViY5WCi_KLElV0lFKzMlMBtFJ-UlKOkYGQDmlgMTSYqCQqR6Y55JZnO1aVJRfVIxQbQiS8EjMSynOSMzGMEUp"
        "Py0ttUgJzajYWACMFihR"
    ),
    "word of one seal that the recipient could not open was taken for another's each time that it came": (
        "eNp9UbtuhDAQ_BfXloW541VGSpEiUVJESoEojG8RFshGtjnp_j7L8TgTktCgZWdnhpmS0zzCh3N6oo3oHdCyomVJnpUF6d91fyOUSGFN"
        "j-_a1IR6OwJCyIcYHRCasSSKp_nLKo8zEb2S8DiKo2n5JmSrNLwa5x-"
        "Qu960fRH64lrRwaqxKQopYfBkAn220ATHC1DDFSwJ_CQs5XmI36iWu8NFxrIo-VuhhsZYmC2MVjtCT-"
        "lv_Af0k_dCdvgNE7vcNgTmCmrwyMMDEznLznEw84IlvAhz3enMqS5-5mHF7QKcV5sT_PWAaTDKGb2CwhJ-"
        "dIier6aDMLQYe89Px2rv6v8UuzKbptm3wFlanEMBlmLOVfUNmbnL7g=="
    ),
    "who was stalked second was answered otherwise, since the first had come back in another moment": (
        "eNpdzDEKgDAMQNG7ZM5QFQVHz-BYisSYQmmwoHXw9lZBEKe_PL6tsG-NMV2LDXrSXdA6tBbGTBoBIW_HcpaSBpbSWRNHKASGnIm_hGlLWvps"
        "Jh9UdsDa3PZ_e-kirGEVcM5dWI4rIQ=="
    ),
}


@pytest.mark.seconds
@pytest.mark.parametrize("line", FOUND.values(), ids=FOUND.keys())
def test_what_was_found_once(line: str) -> None:
    with Quiet():
        assert play(replayed(line)).wrong == ()
