export type SpeechFailure =
  /** The program ended with an error, or cannot be started. */
  | 'failed'
  | 'timeout'
  /** The program's output is not a recording with audio in it. */
  | 'no-audio'
  /** Too many texts wait. */
  | 'busy'
  /** The text is empty or too long. */
  | 'unspeakable';

/** A text could not be spoken. The message never contains the text. */
export class SpeechError extends Error {
  override readonly name = 'SpeechError';
  readonly reason: SpeechFailure;

  constructor(reason: SpeechFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
