/** A REST handler's result. Faults are applied between it and the network. */
export interface Answer {
  status: number;
  body?: unknown;
  /** Content type of a body that is a Buffer. Default: JSON. */
  type?: string;
}

/** An error reply with Vonage's status and body. */
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

/** Creates an error in OpenTok's shape (`code`, `message`, `description`). */
export const videoError = (status: number, message: string): RestError =>
  new RestError(status, { code: status, message, description: message });

/** Creates an error in the Voice API's shape. */
export const voiceError = (status: number, title: string, detail = title): RestError =>
  new RestError(status, {
    type: status === 400 ? 'BAD_REQUEST' : `https://developer.vonage.com/api-errors#${status}`,
    error_title: title,
    title,
    detail,
  });
