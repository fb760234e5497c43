"""Everything that identity shows to the composition root."""

from yunduan.domains.identity import facts, followers, jobs, queries
from yunduan.domains.identity.commands import addresses, codes, erasure, letters, people, roles, sessions
from yunduan.domains.identity.routes import ROUTES
from yunduan.runtime.registry import Domain, Follower, JobKind

DOMAIN = Domain(
    name="identity",
    package="yunduan.domains.identity",
    commands=(
        codes.request_code,
        codes.request_contact_code,
        codes.open_session,
        codes.confirm_contact,
        sessions.touch_session,
        sessions.revoke_session,
        sessions.revoke_other_sessions,
        sessions.sign_out,
        people.register_person,
        people.change_profile,
        erasure.erase_me,
        erasure.erase_person,
        roles.grant_role,
        roles.withdraw_role,
        roles.grant_shop_role,
        roles.withdraw_shop_role,
        roles.appoint_owner,
        addresses.add_address,
        addresses.change_address,
        addresses.remove_address,
        letters.note_delivery,
        codes.forget_challenge,
        codes.forget_budget,
        letters.forget_letter,
        letters.forget_letter_day,
        sessions.end_idle_session,
    ),
    queries=(
        queries.caller_of,
        queries.sealed_address_of,
        queries.addresses_of,
        queries.my_profile,
        queries.my_sessions,
        queries.nicknames_of,
        queries.staff_of,
        queries.operators,
        queries.mailbox,
        queries.letters_due,
        queries.person_by_contact,
    ),
    facts=(
        facts.PersonRegistered,
        facts.PersonSignedIn,
        facts.SessionEnded,
        facts.ContactConfirmed,
        facts.RoleGranted,
        facts.RoleWithdrawn,
        facts.PersonErased,
    ),
    followers=(Follower("erase_keys", (followers.on_person_erased,)),),
    routes=ROUTES,
    jobs=(JobKind("destroy_erased_keys", jobs.destroy_erased_keys),),
)
