/**
 * The texts that callers hear, by language. docs/callers.md lists them.
 * `welcome-slowly` takes about 30 s: its length limits the rate of guesses in slow mode, and from a
 * caller id that keyed wrong PINs
 * (docs/fraud.md).
 */
export const PROMPTS = {
  en: {
    welcome: 'Welcome. Please enter your PIN, followed by the hash key.',
    'wrong-pin': 'This PIN is not valid. Please try again, followed by the hash key.',
    'no-digits': 'We did not receive any digits. Please enter your PIN, followed by the hash key.',
    silent: 'We did not receive any digits. Please have your PIN ready and call again. Goodbye.',
    'too-many-tries': 'This PIN is not valid. Please check your PIN and call again. Goodbye.',
    joining: 'Thank you. You are now joining the conference.',
    waiting: 'Thank you. Please wait. The conference starts when the host joins.',
    'not-open': 'The conference has not started yet. Please call again later. Goodbye.',
    over: 'The conference has ended. Goodbye.',
    full: 'The conference is full. Please try again later. Goodbye.',
    'at-limit': 'All lines are busy. Please try again later. Goodbye.',
    unreachable: 'The conference cannot be reached at the moment. Please call again in a few minutes. Goodbye.',
    'not-in-service': 'This number is not in service. Goodbye.',
    'welcome-slowly':
      'Welcome. Wrong PINs were entered recently. To protect your conference, this call takes ' +
      'longer than usual, and you have one attempt. Please have your PIN ready. You find it in your invitation, ' +
      'below the telephone number. Please check each digit before you enter it. If you do not have your PIN, please ' +
      'hang up now and ask your host to send it again, or to call you from the conference. Thank you for your ' +
      'patience. Please enter your PIN now, followed by the hash key.',
    busy: 'Too many callers are entering a PIN at the moment. Please call again in a few minutes. Goodbye.',
    spent: 'The budget of this conference is used up. Goodbye.',
    replaced: 'You joined the conference with another call. This call ends now. Goodbye.',
    'budget-low': 'The budget of this conference is almost used up. The conference ends when it is used up.',
  },
  de: {
    welcome: 'Willkommen. Bitte geben Sie Ihre PIN ein und drücken Sie die Rautetaste.',
    'wrong-pin': 'Diese PIN ist ungültig. Bitte versuchen Sie es erneut und drücken Sie die Rautetaste.',
    'no-digits': 'Wir haben keine Ziffern empfangen. Bitte geben Sie Ihre PIN ein und drücken Sie die Rautetaste.',
    silent:
      'Wir haben keine Ziffern empfangen. Bitte halten Sie Ihre PIN bereit und rufen Sie erneut an. Auf Wiederhören.',
    'too-many-tries': 'Diese PIN ist ungültig. Bitte prüfen Sie Ihre PIN und rufen Sie erneut an. Auf Wiederhören.',
    joining: 'Vielen Dank. Sie werden jetzt mit der Konferenz verbunden.',
    waiting: 'Vielen Dank. Bitte warten Sie. Die Konferenz beginnt, sobald der Gastgeber beitritt.',
    'not-open': 'Die Konferenz hat noch nicht begonnen. Bitte rufen Sie später erneut an. Auf Wiederhören.',
    over: 'Die Konferenz ist beendet. Auf Wiederhören.',
    full: 'Die Konferenz ist voll. Bitte versuchen Sie es später erneut. Auf Wiederhören.',
    'at-limit': 'Alle Leitungen sind belegt. Bitte versuchen Sie es später erneut. Auf Wiederhören.',
    unreachable:
      'Die Konferenz ist zurzeit nicht erreichbar. Bitte rufen Sie in einigen Minuten erneut an. Auf Wiederhören.',
    'not-in-service': 'Diese Nummer ist nicht vergeben. Auf Wiederhören.',
    'welcome-slowly':
      'Willkommen. Vor Kurzem wurden falsche PINs eingegeben. Zum Schutz Ihrer Konferenz dauert ' +
      'dieser Anruf länger als üblich, und Sie haben einen Versuch. Bitte halten Sie Ihre PIN bereit. Sie finden sie ' +
      'in Ihrer Einladung unter der Telefonnummer. Bitte prüfen Sie jede Ziffer, bevor Sie sie eingeben. Wenn Sie ' +
      'Ihre PIN nicht haben, legen Sie bitte jetzt auf und bitten Sie Ihren Gastgeber, sie erneut zu senden oder Sie ' +
      'aus der Konferenz anzurufen. Vielen Dank für Ihre Geduld. Bitte geben Sie jetzt Ihre PIN ein und drücken Sie ' +
      'die Rautetaste.',
    busy:
      'Zurzeit geben zu viele Anrufer eine PIN ein. Bitte rufen Sie in einigen Minuten erneut an. ' +
      'Auf Wiederhören.',
    spent: 'Das Budget dieser Konferenz ist aufgebraucht. Auf Wiederhören.',
    replaced:
      'Sie sind der Konferenz mit einem anderen Anruf beigetreten. Dieser Anruf wird jetzt beendet. Auf Wiederhören.',
    'budget-low': 'Das Budget dieser Konferenz ist fast aufgebraucht. Die Konferenz endet, sobald es aufgebraucht ist.',
  },
  fr: {
    welcome: 'Bienvenue. Veuillez saisir votre code, puis appuyer sur la touche dièse.',
    'wrong-pin': "Ce code n'est pas valide. Veuillez réessayer, puis appuyer sur la touche dièse.",
    'no-digits': "Nous n'avons reçu aucun chiffre. Veuillez saisir votre code, puis appuyer sur la touche dièse.",
    silent: "Nous n'avons reçu aucun chiffre. Veuillez préparer votre code et rappeler. Au revoir.",
    'too-many-tries': "Ce code n'est pas valide. Veuillez vérifier votre code et rappeler. Au revoir.",
    joining: 'Merci. Vous rejoignez maintenant la conférence.',
    waiting: "Merci. Veuillez patienter. La conférence commencera à l'arrivée de l'hôte.",
    'not-open': "La conférence n'a pas encore commencé. Veuillez rappeler plus tard. Au revoir.",
    over: 'La conférence est terminée. Au revoir.',
    full: 'La conférence est complète. Veuillez réessayer plus tard. Au revoir.',
    'at-limit': 'Toutes les lignes sont occupées. Veuillez réessayer plus tard. Au revoir.',
    unreachable:
      "La conférence n'est pas joignable pour le moment. Veuillez rappeler dans quelques minutes. Au revoir.",
    'not-in-service': "Ce numéro n'est pas en service. Au revoir.",
    'welcome-slowly':
      'Bienvenue. Des codes erronés ont été saisis récemment. Pour protéger votre ' +
      "conférence, cet appel dure plus longtemps que d'habitude, et vous disposez d'un seul essai. Veuillez " +
      'préparer votre code. Il figure dans votre invitation, sous le numéro de téléphone. Veuillez vérifier chaque ' +
      "chiffre avant de le saisir. Si vous n'avez pas votre code, veuillez raccrocher maintenant et demander à votre " +
      "hôte de vous l'envoyer à nouveau, ou de vous appeler depuis la conférence. Merci de votre patience. Veuillez " +
      'saisir votre code maintenant, puis appuyer sur la touche dièse.',
    busy: 'Trop de personnes saisissent un code en ce moment. Veuillez rappeler dans quelques minutes. Au revoir.',
    spent: 'Le budget de cette conférence est épuisé. Au revoir.',
    replaced: 'Vous avez rejoint la conférence avec un autre appel. Cet appel se termine maintenant. Au revoir.',
    'budget-low': "Le budget de cette conférence est presque épuisé. La conférence prendra fin lorsqu'il sera épuisé.",
  },
  es: {
    welcome: 'Bienvenido. Por favor, marque su código y pulse la tecla almohadilla.',
    'wrong-pin': 'Este código no es válido. Por favor, inténtelo de nuevo y pulse la tecla almohadilla.',
    'no-digits': 'No hemos recibido ningún dígito. Por favor, marque su código y pulse la tecla almohadilla.',
    silent: 'No hemos recibido ningún dígito. Por favor, tenga a mano su código y vuelva a llamar. Adiós.',
    'too-many-tries': 'Este código no es válido. Por favor, compruebe su código y vuelva a llamar. Adiós.',
    joining: 'Gracias. Ahora se está uniendo a la conferencia.',
    waiting: 'Gracias. Por favor, espere. La conferencia comenzará cuando se una el anfitrión.',
    'not-open': 'La conferencia aún no ha comenzado. Por favor, vuelva a llamar más tarde. Adiós.',
    over: 'La conferencia ha terminado. Adiós.',
    full: 'La conferencia está completa. Por favor, inténtelo más tarde. Adiós.',
    'at-limit': 'Todas las líneas están ocupadas. Por favor, inténtelo más tarde. Adiós.',
    unreachable:
      'La conferencia no está disponible en este momento. Por favor, vuelva a llamar dentro de unos minutos. Adiós.',
    'not-in-service': 'Este número no está en servicio. Adiós.',
    'welcome-slowly':
      'Bienvenido. Recientemente se han marcado códigos incorrectos. Para proteger su conferencia, esta ' +
      'llamada dura más de lo habitual y usted dispone de un solo intento. Por favor, tenga a mano su código. ' +
      'Lo encontrará en su invitación, debajo del número de teléfono. Por favor, compruebe cada cifra antes de ' +
      'marcarla. Si no tiene su código, por favor, cuelgue ahora y pida a su anfitrión que se lo envíe otra vez ' +
      'o que le llame desde la conferencia. Gracias por su paciencia. Por favor, marque su código ahora y pulse ' +
      'la tecla almohadilla.',
    busy:
      'En este momento, demasiadas personas están marcando un código. Por favor, vuelva a llamar dentro de unos ' +
      'minutos. Adiós.',
    spent: 'El presupuesto de esta conferencia está agotado. Adiós.',
    replaced: 'Se ha unido a la conferencia con otra llamada. Esta llamada termina ahora. Adiós.',
    'budget-low': 'El presupuesto de esta conferencia está casi agotado. La conferencia terminará cuando se agote.',
  },
} as const;

export type PromptName = keyof (typeof PROMPTS)['en'];

/**
 * Returns a prompt in the language of a number; in English if that language has no prompts.
 * @param language BCP 47, e.g. `de-DE`
 */
export function getPrompt(language: string, name: PromptName): string {
  const base = language.split('-')[0] as keyof typeof PROMPTS;
  return (PROMPTS[base] ?? PROMPTS.en)[name];
}
