/** What callers hear. One table; a language that is not here is answered in English. */
export const PROMPTS = {
  en: {
    welcome: 'Welcome. Please enter your PIN, followed by the hash key.',
    'wrong-pin': 'This PIN is not known. Please try again, followed by the hash key.',
    'too-many-tries': 'This PIN is not known either. Please check it and call again. Good bye.',
    joining: 'Thank you. You are joining the conference now.',
    waiting: 'Thank you. Please hold the line until the host has joined.',
    'not-open': 'This conference is not open yet. Please call again later. Good bye.',
    over: 'This conference is over. Good bye.',
    full: 'This conference is full. Please try again later. Good bye.',
    'at-limit': 'All lines to this conference are taken. Please try again later. Good bye.',
    'not-in-service': 'This number is not in service. Good bye.',
    'welcome-slowly':
      'Welcome. So many wrong PINs were keyed on this number today that we have to take our time with every caller, and ask for your patience. You have one try in this call. Please have the PIN of your conference in front of you; it stands in your invitation, below the telephone number. Check each of its digits before you key it. If you do not have it, please hang up now, and ask whoever invited you to send it again, or to call you from the conference. If you have it, please enter your PIN now, followed by the hash key.',
    busy: 'Too many callers are entering their PIN at the moment. Please call again in a few minutes. Good bye.',
    later:
      'Only wrong PINs were entered from your telephone. Please check your PIN, and call again a little later. Good bye.',
    spent: 'The budget of this conference is used up. Good bye.',
    'budget-low': 'The budget of this conference is almost used up. It will end when nothing is left.',
  },
  de: {
    welcome: 'Willkommen. Bitte geben Sie Ihre PIN ein und schließen Sie mit der Rautetaste ab.',
    'wrong-pin':
      'Diese PIN ist nicht bekannt. Bitte versuchen Sie es noch einmal und schließen Sie mit der Rautetaste ab.',
    'too-many-tries':
      'Auch diese PIN ist nicht bekannt. Bitte prüfen Sie sie und rufen Sie wieder an. Auf Wiederhören.',
    joining: 'Vielen Dank. Sie werden jetzt mit der Konferenz verbunden.',
    waiting: 'Vielen Dank. Bitte warten Sie, bis der Gastgeber da ist.',
    'not-open': 'Diese Konferenz hat noch nicht begonnen. Bitte rufen Sie später wieder an. Auf Wiederhören.',
    over: 'Diese Konferenz ist zu Ende. Auf Wiederhören.',
    full: 'Diese Konferenz ist voll. Bitte versuchen Sie es später noch einmal. Auf Wiederhören.',
    'at-limit':
      'Alle Leitungen zu dieser Konferenz sind belegt. Bitte versuchen Sie es später noch einmal. Auf Wiederhören.',
    'not-in-service': 'Diese Nummer ist nicht vergeben. Auf Wiederhören.',
    'welcome-slowly':
      'Willkommen. Auf dieser Nummer wurden heute so viele falsche PINs eingegeben, dass wir uns für jeden Anruf Zeit nehmen müssen und Sie um Geduld bitten. Sie haben in diesem Anruf einen Versuch. Bitte legen Sie die PIN Ihrer Konferenz bereit; sie steht in Ihrer Einladung unter der Telefonnummer. Prüfen Sie jede Ziffer, bevor Sie sie eingeben. Wenn Sie die PIN nicht haben, legen Sie bitte jetzt auf und bitten Sie den Gastgeber, sie noch einmal zu schicken oder Sie aus der Konferenz anzurufen. Wenn Sie die PIN haben, geben Sie sie jetzt ein und schließen Sie mit der Rautetaste ab.',
    busy: 'Im Augenblick geben zu viele Anrufer ihre PIN ein. Bitte rufen Sie in ein paar Minuten wieder an. Auf Wiederhören.',
    later:
      'Von Ihrem Anschluss wurden nur falsche PINs eingegeben. Bitte prüfen Sie Ihre PIN und rufen Sie etwas später wieder an. Auf Wiederhören.',
    spent: 'Das Budget dieser Konferenz ist aufgebraucht. Auf Wiederhören.',
    'budget-low': 'Das Budget dieser Konferenz ist fast aufgebraucht. Sie endet, wenn nichts mehr übrig ist.',
  },
  fr: {
    welcome: 'Bienvenue. Veuillez saisir votre code, puis appuyer sur la touche dièse.',
    'wrong-pin': "Ce code n'est pas connu. Veuillez réessayer, puis appuyer sur la touche dièse.",
    'too-many-tries': "Ce code n'est pas connu non plus. Veuillez le vérifier et rappeler. Au revoir.",
    joining: 'Merci. Vous rejoignez la conférence.',
    waiting: "Merci. Veuillez patienter jusqu'à l'arrivée de l'hôte.",
    'not-open': "Cette conférence n'est pas encore ouverte. Veuillez rappeler plus tard. Au revoir.",
    over: 'Cette conférence est terminée. Au revoir.',
    full: 'Cette conférence est complète. Veuillez réessayer plus tard. Au revoir.',
    'at-limit': 'Toutes les lignes de cette conférence sont occupées. Veuillez réessayer plus tard. Au revoir.',
    'not-in-service': "Ce numéro n'est pas en service. Au revoir.",
    'welcome-slowly':
      "Bienvenue. Tant de codes erronés ont été saisis aujourd'hui sur ce numéro que nous devons prendre notre temps pour chaque appel, et nous vous demandons un peu de patience. Vous avez un seul essai pendant cet appel. Préparez le code de votre conférence ; il figure dans votre invitation, sous le numéro de téléphone. Vérifiez chaque chiffre avant de le saisir. Si vous ne l'avez pas, raccrochez maintenant et demandez à votre hôte de vous l'envoyer à nouveau, ou de vous appeler depuis la conférence. Si vous l'avez, saisissez votre code maintenant, puis appuyez sur la touche dièse.",
    busy: 'Trop de personnes saisissent leur code en ce moment. Veuillez rappeler dans quelques minutes. Au revoir.',
    later:
      'Seuls des codes erronés ont été saisis depuis votre téléphone. Veuillez vérifier votre code et rappeler un peu plus tard. Au revoir.',
    spent: 'Le budget de cette conférence est épuisé. Au revoir.',
    'budget-low': "Le budget de cette conférence est presque épuisé. Elle prendra fin quand il n'en restera rien.",
  },
  es: {
    welcome: 'Bienvenido. Marque su código y pulse la tecla almohadilla.',
    'wrong-pin': 'Este código no es conocido. Inténtelo de nuevo y pulse la tecla almohadilla.',
    'too-many-tries': 'Este código tampoco es conocido. Compruébelo y vuelva a llamar. Adiós.',
    joining: 'Gracias. Se está uniendo a la conferencia.',
    waiting: 'Gracias. Espere, por favor, hasta que llegue el anfitrión.',
    'not-open': 'Esta conferencia aún no está abierta. Vuelva a llamar más tarde. Adiós.',
    over: 'Esta conferencia ha terminado. Adiós.',
    full: 'Esta conferencia está completa. Inténtelo más tarde. Adiós.',
    'at-limit': 'Todas las líneas de esta conferencia están ocupadas. Inténtelo más tarde. Adiós.',
    'not-in-service': 'Este número no está en servicio. Adiós.',
    'welcome-slowly':
      'Bienvenido. Hoy se han marcado tantos códigos erróneos en este número que debemos dedicar tiempo a cada llamada, y le pedimos paciencia. Tiene un solo intento en esta llamada. Tenga a mano el código de su conferencia; está en su invitación, debajo del número de teléfono. Compruebe cada cifra antes de marcarla. Si no lo tiene, cuelgue ahora y pida a quien le invitó que se lo envíe otra vez, o que le llame desde la conferencia. Si lo tiene, marque su código ahora y pulse la tecla almohadilla.',
    busy: 'Demasiadas personas están marcando su código en este momento. Llame otra vez dentro de unos minutos. Adiós.',
    later:
      'Desde su teléfono solo se han marcado códigos erróneos. Compruebe su código y llame un poco más tarde. Adiós.',
    spent: 'El presupuesto de esta conferencia está agotado. Adiós.',
    'budget-low': 'El presupuesto de esta conferencia está casi agotado. Terminará cuando no quede nada.',
  },
} as const;

export type PromptName = keyof (typeof PROMPTS)['en'];

/** @param language BCP 47, as the number has it, e.g. `de-DE` */
export function getPrompt(language: string, which: PromptName): string {
  const base = language.split('-')[0] as keyof typeof PROMPTS;
  return (PROMPTS[base] ?? PROMPTS.en)[which];
}
