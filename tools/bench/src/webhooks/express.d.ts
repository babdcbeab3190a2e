/** The part of Express that the peers use; the package has no types. */
declare module 'express' {
  interface Request {
    readonly body: unknown;
  }
  interface Response {
    status(code: number): Response;
    json(value: unknown): void;
  }
  type Handler = (request: Request, response: Response) => void;
  interface Express {
    use(middleware: Handler): void;
    post(path: string, handler: Handler): void;
    set(setting: string, value: unknown): void;
    get(setting: string): unknown;
    listen(port: number, host: string, listening: () => void): void;
  }
  const express: { (): Express; json(): Handler };
  export default express;
}
