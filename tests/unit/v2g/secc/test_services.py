"""Value-added services: off by default, and only what is offered can be selected."""

from __future__ import annotations

import pytest

from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import SelectedService, ServiceCategory
from pilothat.v2g.secc.services import CERTIFICATE_ID, INTERNET_ID, Services

ANY = iso2.ServiceDiscoveryReq()


def full() -> Services:
    services = Services(internet=(3, 4))
    services.has_certificates = True
    return services


def numbers(services: Services, category: ServiceCategory | None = None) -> list[int]:
    asked = iso2.ServiceDiscoveryReq(service_category=category)
    offered = services.offered(asked)
    return [one.service_id for one in offered.service] if offered else []


def test_there_is_none_by_default() -> None:
    assert Services().offered(ANY) is None
    assert Services().sets(CERTIFICATE_ID) is None
    assert Services().sets(INTERNET_ID) is None


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        (None, [2, 3]),
        (ServiceCategory.Internet, [3]),
        (ServiceCategory.ContractCertificate, [2]),
        (ServiceCategory.OtherCustom, []),
    ],
)
def test_a_car_may_ask_for_one_category(
    category: ServiceCategory | None, expected: list[int]
) -> None:
    assert numbers(full(), category) == expected


def test_ways_into_the_internet_have_protocol_and_port() -> None:
    sets = full().sets(INTERNET_ID)
    assert sets is not None
    told = [
        (
            one.parameter_set_id,
            one.parameter[0].string_value,
            one.parameter[1].int_value,
        )
        for one in sets.parameter_set
    ]
    assert told == [(3, "http", 80), (4, "https", 443)]


@pytest.mark.parametrize(
    ("service_id", "set_id", "is_good"),
    [
        (1, None, True),
        (2, 1, True),
        (2, 2, True),
        (2, 3, False),
        (2, None, False),
        (3, 3, True),
        (3, 1, False),
        (4, 1, False),
    ],
)
def test_only_what_is_offered_can_be_selected(
    service_id: int, set_id: int | None, *, is_good: bool
) -> None:
    one = SelectedService(service_id=service_id, parameter_set_id=set_id)
    assert full().is_selectable(one) is is_good
    assert Services().is_selectable(one) is (service_id == 1)
