/**
 * Published incidents in which calls stayed up and kept charging. Each has a regression test, named
 * by `describeIncident`.
 */
const INCIDENTS = {
  1: ['livekit/sip #112', 'a BYE without its From tag was answered with 481, and the call stayed up'],
  2: ['livekit/sip #316, #597', 'a BYE could not be delivered; the hang-up had been accepted'],
  3: [
    'livekit/sip #106, jigasi #37, opentok-rtc #394, jambonz #95',
    'a removal while ringing did not reach the call, or was rejected in that state',
  ],
  4: ['livekit/sip 66f432b', 'the 200 OK raced the CANCEL, and the answered call became an orphan'],
  5: ['azure-sdk-for-js #35413', 'deleting the room left its phone calls up'],
  6: ['livekit/agents #4253', 'minutes accrued in rooms that the listing omitted'],
  7: [
    'FreeSWITCH #960 and others, libresbc #224',
    'the channel was listed, but the request to kill it reported no such channel',
  ],
  8: ['cgrates #282', 'the switch died without a report, and billing continued forever'],
  9: ['siphon-ai #342, #349', 'the local registry reported a live call as gone'],
  10: ['gsm-sip-bridge PR 15', 'the BYE was sent to a dead connection; it was logged once and not retried'],
  11: [
    'jambonz-feature-server',
    'the maximum duration was a timer in the process; the reaper was never called and its clock did not advance',
  ],
  12: ['jambonz #401, #410, sbc-outbound #226', 'counters leaked, and phantom calls could not be cleared'],
  13: [
    'openclaw voice-call',
    'the reaper was off by default, killed a live call, duplicated hang-ups, lost timers and redialled phones',
  ],
  14: [
    'jigasi ae35501, 6e44afe, 1f1cb4e',
    'the failure path skipped the hang-up, and an exception of one peer stopped the loop',
  ],
  15: ['Janus sample configuration', 'a session timeout of 0 keeps orphan sessions forever'],
  16: ['Vonage Video documentation', 'the media router crashes; callbacks are duplicated, late and out of order'],
} as const;

/**
 * The beginning of a test title: the incident and its source. The title continues with the
 * behaviour of Partyline.
 */
export const describeIncident = (no: keyof typeof INCIDENTS): string =>
  `${no}. ${INCIDENTS[no][0]}: ${INCIDENTS[no][1]}; here`;
