"""Work that starts without a YES is recorded as an exception, never hidden."""

from ledger.values import Role
from tests.rules.saying import at, yes
from tests.rules.town import Team, document


def test_work_that_starts_without_a_yes_is_recorded_as_an_exception_and_shown(team: Team) -> None:
    proposal_id, _ = team.declined()
    team.engineer.does("startWork", proposalId=proposal_id, note="It could not wait.")
    (started,) = team.timeline(proposal_id, "WorkStarted")
    assert started["body"]["without_yes"] is True
    assert started["summary"] == "Work began without a YES: “It could not wait.”"
    counts = team.transparency()
    assert (counts["started"], counts["startedWithoutYes"]) == (1, 1)


def test_work_without_a_yes_that_is_given_up_has_answered_nothing(team: Team) -> None:
    pending, (declined, _) = team.propose(), team.declined()
    for proposal_id, status in ((pending, "PENDING"), (declined, "DECLINED")):
        team.engineer.does("startWork", proposalId=proposal_id)
        assert team.status(proposal_id) == "IN_PROGRESS"
        team.engineer.does("abandonWork", proposalId=proposal_id, reason="Nobody had asked for it.")
        assert team.status(proposal_id) == status
    counts = team.transparency()
    assert (counts["startedWithoutYes"], counts["abandoned"], counts["nobodyLooked"]) == (2, 2, 1)


def test_work_that_starts_with_a_yes_is_no_exception(team: Team) -> None:
    proposal_id = team.propose()
    team.decide(yes(team.opened(proposal_id), proposal_id))
    team.engineer.does("startWork", proposalId=proposal_id)
    (started,) = team.timeline(proposal_id, "WorkStarted")
    assert started["summary"] == "Work began."
    counts = team.transparency()
    assert (counts["started"], counts["startedWithoutYes"]) == (1, 0)


def test_a_start_that_would_say_itself_that_it_has_a_yes_is_refused(team: Team) -> None:
    proposal_id, _ = team.declined()
    code, sentence = team.engineer.error(document("startWork"), input={"proposalId": proposal_id, "withoutYes": False})
    assert (code, sentence.split(", found")[0]) == (
        "BAD_USER_INPUT",
        (
            "Variable '$input' has invalid value: "
            "Expected value of type 'StartWorkInput' not to include unknown field 'withoutYes'."
        ),
    )
    assert team.status(proposal_id) == "DECLINED"


def test_starting_again_to_cover_an_exception_up_is_refused(team: Team) -> None:
    proposal_id, _ = team.declined()
    team.engineer.does("startWork", proposalId=proposal_id)
    assert team.engineer.is_refused("startWork", proposalId=proposal_id) == (
        "WRONG_STATE",
        "Work is under way already. Pause, complete or abandon it.",
        at("proposalId"),
    )


def test_a_start_by_who_only_observes_is_refused(team: Team) -> None:
    olga, proposal_id = team.joined_by("Olga", Role.OBSERVER), team.propose()
    assert olga.is_refused("startWork", proposalId=proposal_id) == (
        "FORBIDDEN",
        (
            "`startWork` is for ENGINEER or ENGINEERING_LEAD in this team, or INTEGRATOR across teams; you have OBSERVER. "
            "Ask one of them, or a steward for the role."
        ),
        [],
    )
