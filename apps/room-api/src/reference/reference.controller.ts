import { Controller, Get, Header, Inject } from '@nestjs/common';
import { openApi } from '@partyline/contracts/openapi';
import { Open } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { referencePage } from './page.ts';

/** The API about itself. */
@Open()
@Controller()
export class ReferenceController {
  /** As it is sent: whoever asks for it needs no key, so it costs next to nothing. */
  private readonly document: string;
  private readonly page: string;

  constructor(@Inject(DEPS) deps: ApiDeps) {
    const document = openApi(deps.version);
    this.document = JSON.stringify(document);
    this.page = referencePage(document);
  }

  @Get('v1/openapi.json')
  @Header('content-type', 'application/json; charset=utf-8')
  openApi(): string {
    return this.document;
  }

  @Get('docs')
  @Header('content-type', 'text/html; charset=utf-8')
  // Nothing is loaded and nothing runs: the page is all there is.
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  docs(): string {
    return this.page;
  }
}
