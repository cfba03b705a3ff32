from __future__ import annotations

import threading

import pytest

from tests.sandbox.donor import CARD, CURRENCY, FORM, Page, create_session, payment, visit
from tests.sandbox_process import SandboxProcess

BANNER = "This is not Stripe."


def charges(sandbox: SandboxProcess, session_id: str) -> list[str]:
    intent_id = sandbox.api("GET", f"/v1/checkout/sessions/{session_id}")["payment_intent"]
    found = sandbox.api("GET", f"/v1/charges?payment_intent={intent_id}")["data"]
    return [charge["status"] for charge in found]


def test_page_shows_what_the_merchant_asked_for(sandbox: SandboxProcess) -> None:
    session = create_session(
        sandbox,
        submit_type="donate",
        customer_email="jane@example.com",
        cancel_url="https://goalpost.example/c/support-us",
        **{CURRENCY: "eur", "custom_text[submit][message]": "Thank you already."},
    )
    page = visit(sandbox, f"/pay/{session['id']}")
    assert page.status == 200
    for words in (
        BANNER,
        "Support us",
        "€25.00",
        'value="jane@example.com"',
        'href="https://goalpost.example/c/support-us"',
        '<button type="submit" id="pay">Donate</button>',
        "Thank you already.",
    ):
        assert words in page.text


def test_button_says_pay_by_default_and_there_is_no_way_back_without_address(
    sandbox: SandboxProcess,
) -> None:
    page = visit(sandbox, f"/pay/{create_session(sandbox)['id']}")
    assert '<button type="submit" id="pay">Pay</button>' in page.text
    assert 'id="cancel"' not in page.text


def test_looking_at_the_page_changes_nothing(sandbox: SandboxProcess) -> None:
    session = create_session(sandbox)
    visit(sandbox, f"/pay/{session['id']}")
    visit(sandbox, f"/pay/{session['id']}/authenticate")
    about = [event["data"]["object"]["id"] for event in sandbox.events()]
    assert session["id"] not in about
    assert sandbox.api("GET", f"/v1/checkout/sessions/{session['id']}") == session


def test_paid_donor_is_sent_to_the_merchant(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    sent = visit(sandbox, f"/pay/{session_id}", CARD)
    assert sent.status == 303
    assert sent.location == f"https://goalpost.example/thanks?session={session_id}"
    assert charges(sandbox, session_id) == ["succeeded"]


def test_declined_donor_sees_why_and_finds_what_they_typed(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    typed = {**CARD, "card_number": "4000 0000 0000 9995"}
    page = visit(sandbox, f"/pay/{session_id}", typed)
    assert page.status == 402
    assert "Your card has insufficient funds." in page.text
    for value in typed.values():
        assert f'value="{value}"' in page.text
    assert visit(sandbox, f"/pay/{session_id}", CARD).status == 303
    assert charges(sandbox, session_id) == ["succeeded", "failed"]


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("email", "jane", "Enter an email address"),
        ("email", "", "Enter an email address"),
        ("card_number", "", "Enter a card number."),
        ("card_number", "4242", "Your card number is incomplete."),
        ("card_number", "4242 4242 4242 424x", "Your card number is incomplete."),
        ("card_number", "4242424242424241", "Your card number is invalid."),
        ("card_number", "4111111111111111", "This test card is not known here."),
        ("expiry", "13 / 30", "Enter the expiry as MM/YY."),
        ("expiry", "01 / 20", "Your card&#39;s expiration year is in the past."),
        ("cvc", "12", "Your card&#39;s security code is incomplete."),
        ("name", " ", "Enter the name on the card."),
    ],
)
def test_wrong_field_is_named_beside_it(
    sandbox: SandboxProcess, field: str, typed: str, words: str
) -> None:
    session_id = create_session(sandbox)["id"]
    page = visit(sandbox, f"/pay/{session_id}", {**CARD, field: typed})
    assert page.status == 422
    assert f'id="{field}-error">{words}' in page.text
    assert f'aria-describedby="{field}-error"' in page.text
    assert page.text.count('class="error"') == 1
    assert sandbox.api("GET", f"/v1/checkout/sessions/{session_id}")["payment_intent"] is None


@pytest.mark.parametrize("expiry", ["12/49", "1249", "12 / 2049", "1/49", "12-49"])
def test_expiry_is_read_as_people_write_it(sandbox: SandboxProcess, expiry: str) -> None:
    session_id = create_session(sandbox)["id"]
    assert visit(sandbox, f"/pay/{session_id}", {**CARD, "expiry": expiry}).status == 303


def test_secured_card_leads_over_the_banks_page(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    typed = {**CARD, "card_number": "4000002500003155"}
    sent = visit(sandbox, f"/pay/{session_id}", typed)
    assert (sent.status, sent.location) == (303, f"/pay/{session_id}/authenticate")
    bank = visit(sandbox, f"/pay/{session_id}/authenticate")
    assert BANNER in bank.text
    assert "$25.00" in bank.text
    failed = visit(sandbox, f"/pay/{session_id}/authenticate", {"outcome": "fail"})
    assert failed.status == 402
    assert "unable to authenticate" in failed.text
    assert f'action="/pay/{session_id}"' in failed.text
    visit(sandbox, f"/pay/{session_id}", typed)
    passed = visit(sandbox, f"/pay/{session_id}/authenticate", {"outcome": "complete"})
    assert (passed.status, passed.location) == (
        303,
        f"https://goalpost.example/thanks?session={session_id}",
    )
    assert charges(sandbox, session_id) == ["succeeded"]


def test_double_submission_pays_once(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    pages: list[Page] = []
    threads = [
        threading.Thread(target=lambda: pages.append(visit(sandbox, f"/pay/{session_id}", CARD)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(page.status, page.location) for page in pages} == {
        (303, f"https://goalpost.example/thanks?session={session_id}")
    }
    assert charges(sandbox, session_id) == ["succeeded"]
    completed = [
        event
        for event in sandbox.events("checkout.session.completed")
        if event["data"]["object"]["id"] == session_id
    ]
    assert len(completed) == 1


def test_closed_session_says_how_it_ended(sandbox: SandboxProcess) -> None:
    paid = create_session(sandbox)["id"]
    sandbox.pay(paid)
    assert "all done here" in visit(sandbox, f"/pay/{paid}").text
    expired = create_session(sandbox, cancel_url="https://goalpost.example/c")["id"]
    sandbox.api("POST", f"/v1/checkout/sessions/{expired}/expire", {})
    page = visit(sandbox, f"/pay/{expired}")
    assert "has expired" in page.text
    assert visit(sandbox, f"/pay/{expired}", CARD).location == f"/pay/{expired}"


def test_unknown_session_is_a_404(sandbox: SandboxProcess) -> None:
    for path in ("/pay/cs_test_nothing", "/pay/cs_test_nothing/authenticate"):
        assert visit(sandbox, path).status == 404
        assert visit(sandbox, path, CARD).status == 404
        assert BANNER in visit(sandbox, path).text


def test_names_are_inert(sandbox: SandboxProcess) -> None:
    name = "</title><script>alert(1)</script>"
    session_id = create_session(sandbox, **{"line_items[0][price_data][product_data][name]": name})[
        "id"
    ]
    page = visit(sandbox, f"/pay/{session_id}", {**CARD, "name": name, "cvc": '"><script>'})
    assert "<script" not in page.text
    assert "<script" not in visit(sandbox, "/").text


def test_page_cannot_be_framed_and_runs_no_script(sandbox: SandboxProcess) -> None:
    policy = visit(sandbox, f"/pay/{create_session(sandbox)['id']}").headers[
        "content-security-policy"
    ]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy


def test_several_items_are_listed(sandbox: SandboxProcess) -> None:
    fee = {
        key.replace("[0]", "[1]"): value for key, value in FORM.items() if "line_items" in key
    } | {
        "line_items[1][price_data][unit_amount]": "103",
        "line_items[1][price_data][product_data][name]": "Covering the fee",
    }
    session = create_session(sandbox, **fee)
    page = visit(sandbox, f"/pay/{session['id']}")
    for words in ("$26.03", "$25.00", "$1.03", "Covering the fee"):
        assert words in page.text
    paid = sandbox.pay(session["id"])
    assert payment(sandbox, paid["payment_intent"])["amount_received"] == 2603
