import { expect, it } from 'vitest';
import { openG711 } from '../audio/codecs/g711.ts';
import { OpusCodecs } from '../audio/codecs/opus.ts';
import { CallAudio } from './call-audio.ts';

const SILENCE = new Int16Array(160);

it('is silent for as long as no packet comes, and for a second of a stall', () => {
  const audio = new CallAudio(openG711('PCMU'), new OpusCodecs(), {
    sendAudio: () => undefined,
    startDigit: () => undefined,
  });
  audio.tick(1);
  // The clock has skipped four frames.
  audio.tick(6);
  expect(audio.silentMs).toBe(120);
  audio.tick(3_006);
  expect(audio.silentMs).toBe(1_120);
  audio.noticePhone();
  audio.tick(3_007);
  expect(audio.silentMs).toBe(20);
  audio.close();
});

it('a phone gets half a second at most of the mix that has piled up, and then every frame', () => {
  const opus = new OpusCodecs();
  const mix = opus.open(8_000);
  let sent = 0;
  const audio = new CallAudio(openG711('PCMU'), opus, { sendAudio: () => (sent += 1), startDigit: () => undefined });
  audio.connect({ send: () => undefined });
  const receive = (frames: number): void => {
    for (let frame = 0; frame < frames; frame += 1) audio.receiveFromConference(mix.encode(SILENCE));
  };
  receive(500);
  expect(sent).toBe(25);
  for (let tick = 0; tick < 100; tick += 1) {
    audio.tick(tick);
    receive(1);
  }
  expect(sent).toBe(125);
  audio.close();
  mix.close();
});
