/** What a REST handler gives back, so that faults can be played between it and the wire. */
export interface Answer {
  status: number;
  body?: unknown;
}

/** A refusal with the vendor's status and body. */
export class RestError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super(`REST ${status}`);
    this.status = status;
    this.body = body;
  }
}

export const ok = (body: unknown): Answer => ({ status: 200, body });
export const noContent: Answer = { status: 204 };

/** OpenTok's error shape (`code`, `message`, `description`). */
export const videoError = (status: number, message: string): RestError =>
  new RestError(status, { code: status, message, description: message });

/** Voice's error shape. */
export const voiceError = (status: number, title: string, detail = title): RestError =>
  new RestError(status, {
    type: status === 400 ? 'BAD_REQUEST' : `https://developer.vonage.com/api-errors#${status}`,
    error_title: title,
    title,
    detail,
  });
