/** "The call stays up and keeps charging": what happened to others (reliability.md, section 2). Each has a test of ours, named by `cause`. */
const CAUSES = {
  1: ['livekit/sip #112', 'a BYE without its From tag was answered 481, and the caller stayed, connected to the void'],
  2: ['livekit/sip #316, #597', 'a BYE could not be delivered; the hang-up had been accepted'],
  3: [
    'livekit/sip #106, jigasi #37, opentok-rtc #394, jambonz #95',
    'removal while ringing did not reach the call, or was refused in that state',
  ],
  4: ['livekit/sip 66f432b', 'the 200 OK raced the CANCEL, and the answered call was nobody’s'],
  5: ['azure-sdk-for-js #35413', 'deleting the room left the phones in it'],
  6: ['livekit/agents #4253', 'minutes accrued in rooms that the list did not return'],
  7: ['FreeSWITCH #960 and others, libresbc #224', 'the channel was listed, and killing it said that there was none'],
  8: ['cgrates #282', 'the switch died without telling, and billing went on for ever'],
  9: ['siphon-ai #342, #349', 'our registry said that the call was gone while it was up'],
  10: ['gsm-sip-bridge PR 15', 'the BYE went into a dead connection; one warning, no second try'],
  11: [
    'jambonz-feature-server',
    'the longest duration was a timer in the process; the reaper’s clock stood still, and nobody called it',
  ],
  12: ['jambonz #401, #410, sbc-outbound #226', 'counters leaked, and phantoms could not be cleared'],
  13: [
    'openclaw voice-call',
    'the reaper: off by default, a live call killed, hang-ups doubled, timers lost, phones dialled again and again',
  ],
  14: [
    'jigasi ae35501, 6e44afe, 1f1cb4e',
    'the failure path skipped the hang-up, and one peer’s exception stopped the loop',
  ],
  15: ['Janus sample configuration', 'a session timeout of 0 keeps orphans for ever'],
  16: ['Vonage Video documentation', 'the media router crashes; callbacks come twice, late and out of order'],
} as const;

/** The beginning of a test's name: which cause, and what happened to whom; what holds here follows. */
export const cause = (no: keyof typeof CAUSES): string => `${no}. ${CAUSES[no][0]}: ${CAUSES[no][1]}; here`;
