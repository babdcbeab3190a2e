-- The data of an event of a room, with what a receiver needs besides the ids: the tenant's id of the room;
-- for the event of a leg the participant's name, role and masked phone number (libs/domain/src/phone.ts
-- masks the same way); for another event of a participant their name, role and the number of their open
-- connection, or else of their newest. Null where there is none: a bridge has no participant, a browser no
-- number.
--
-- p_data  may name the leg (legId) or the participant (participantId)
CREATE OR REPLACE FUNCTION describe_event(p_room text, p_data jsonb) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
  SELECT
    p_data
    || jsonb_build_object('externalId', (SELECT r.external_id FROM room r WHERE r.id = p_room))
    || COALESCE(
      (
        SELECT jsonb_build_object(
          'name', person.name,
          'role', person.role,
          'number', CASE
            WHEN length(person.remote) <= 7 THEN '***'
            ELSE left(person.remote, 4) || repeat('*', length(person.remote) - 6) || right(person.remote, 2)
          END
        )
        FROM (
          SELECT p.name, CASE WHEN l.kind <> 'bridge' THEN l.role END AS role, l.remote
          FROM leg l
          LEFT JOIN participant p ON p.id = l.participant_id
          WHERE l.id = p_data ->> 'legId'
          UNION ALL
          SELECT p.name, p.role, (
            SELECT l.remote
            FROM leg l
            WHERE l.participant_id = p.id
            ORDER BY l.state <> 'ended' DESC, l.created_at DESC, l.id DESC
            LIMIT 1
          )
          FROM participant p
          WHERE p.id = p_data ->> 'participantId' AND NOT p_data ? 'legId'
        ) AS person
      ),
      '{}'
    )
$$;

REVOKE ALL ON FUNCTION describe_event(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION describe_event(text, jsonb) TO partyline_platform, partyline_tenant;
