import type { VoiceCodecName } from './negotiate-codec.ts';

/** The codecs that calls can use. */
export const VOICE_CODECS_ENABLED: readonly VoiceCodecName[] = ['PCMU', 'PCMA'];
