import { openG711 } from '../audio/codecs/g711.ts';
import { openG722 } from '../audio/codecs/g722.ts';
import type { OpusCodecs } from '../audio/codecs/opus.ts';
import type { VoiceCodec } from '../audio/codecs/voice-codec.ts';
import type { VoiceCodecName } from './negotiate-codec.ts';

/** Opens the codec of a call. Opus runs at 16 kHz, the rate of conferences. */
export function openVoiceCodec(name: VoiceCodecName, opus: OpusCodecs): VoiceCodec {
  switch (name) {
    case 'opus':
      return opus.open(16_000);
    case 'G722':
      return openG722();
    default:
      return openG711(name);
  }
}
