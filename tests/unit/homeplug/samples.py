"""One message of every type, made by hand."""

from __future__ import annotations

from pilothat.homeplug import cm, lumissil, nwinfo, qualcomm
from pilothat.homeplug.field import Mme

EV = bytes.fromhex("02e0e0e0e001")
EVSE = bytes.fromhex("025e5e5e5e01")
RUN = bytes.fromhex("1122334455667788")
GROUPS_DB = tuple(range(58))

SAMPLES: tuple[Mme, ...] = (
    cm.CmSlacParmReq(run_id=RUN),
    cm.CmSlacParmCnf(num_sounds=10, time_out=6, forwarding_sta=EV, run_id=RUN),
    cm.CmStartAttenCharInd(num_sounds=10, time_out=6, forwarding_sta=EV, run_id=RUN),
    cm.CmMnbcSoundInd(cnt=9, run_id=RUN, rnd=bytes(range(16))),
    cm.CmAttenProfileInd(pev_mac=EV, aag_db=GROUPS_DB),
    cm.CmAttenCharInd(source_address=EV, run_id=RUN, num_sounds=10, aag_db=GROUPS_DB),
    cm.CmAttenCharRsp(source_address=EV, run_id=RUN),
    cm.CmValidateReq(timer=19, result=1),
    cm.CmValidateCnf(toggle_num=2, result=2),
    cm.CmSlacMatchReq(pev_mac=EV, evse_mac=EVSE, run_id=RUN),
    cm.CmSlacMatchCnf(
        pev_mac=EV, evse_mac=EVSE, run_id=RUN, nid=b"network", nmk=bytes(range(16))
    ),
    cm.CmSetKeyReq(nid=b"network", nmk=bytes(range(16))),
    cm.CmSetKeyCnf(result=1, my_nonce=b"abcd", your_nonce=b"efgh"),
    cm.CmAmpMapReq(amlen=5, amdata=b"\x21\x43\x05"),
    cm.CmAmpMapCnf(),
    cm.CmNwStatsReq(),
    cm.CmNwStatsCnf(stations=(cm.StationRate(EV, 9, 8),)),
    cm.CmNwInfoReq(),
    cm.CmNwInfoCnf(networks=(cm.Network(b"network", 3, 1, 2, EVSE),)),
    cm.CcDiscoverListReq(),
    cm.CcDiscoverListCnf(stations=(cm.Discovered(EV, 2, 1, 4),)),
    cm.CmBrgInfoReq(),
    cm.CmBrgInfoCnf(bridging=1, tei=2, hosts=(cm.Host(EV), cm.Host(EVSE))),
    nwinfo.VsNwInfoReq(),
    nwinfo.VsNwInfoCnf(
        networks=1, nid=b"network", stations=(nwinfo.Station(EV, 2, EVSE, 9, 8),)
    ),
    nwinfo.VsNwInfoLongReq(),
    nwinfo.VsNwInfoLongCnf(
        data_length=58,
        networks=1,
        nid=b"network",
        stations=(nwinfo.LongStation(EV, 2, EVSE, 300, 1, 200),),
    ),
    qualcomm.VsSwVerReq(),
    qualcomm.VsSwVerCnf(device_class=0x22, version=b"MAC-QCA7000-1", ident=0x1B58DC),
    qualcomm.VsRsDevReq(),
    qualcomm.VsRsDevCnf(),
    qualcomm.VsPlLnkStatusReq(),
    qualcomm.VsPlLnkStatusCnf(link=1),
    cm.CmGetKeyReq(nid=b"network"),
    cm.CmGetKeyCnf(result=1, nid=b"network", key=bytes(16)),
    qualcomm.VsFacDefaultsReq(),
    qualcomm.VsFacDefaultsCnf(),
    qualcomm.VsOpAttributesReq(cookie=5),
    qualcomm.VsOpAttributesCnf(
        hardware=b"QCA7000".ljust(16, b"\0"), software=b"MAC".ljust(16, b"\0")
    ),
    qualcomm.ModuleReadReq(length=4, offset=1400),
    qualcomm.ModuleReadCnf(data_length=22, length=4, offset=1400, data=b"data"),
    qualcomm.ModuleStartReq(session=7, length=9040, checksum=0x12345678),
    qualcomm.ModuleStartCnf(session=7),
    qualcomm.ModuleWriteReq(session=7, length=4, offset=8400, data=b"data"),
    qualcomm.ModuleWriteCnf(session=7, length=4, offset=8400),
    qualcomm.ModuleCommitReq(session=7, commit=0x80000003),
    qualcomm.ModuleCommitCnf(session=7, commit=0x80000003),
    lumissil.NscmGetVersionReq(),
    lumissil.NscmGetVersionCnf(major=1, minor=2, patch=3, build=4),
)


def name_of(mme: Mme) -> str:
    """Return what pytest shows for a sample."""
    return type(mme).__name__
