/** The element with this id; a page that lacks it is broken, and the message says which one. */
export function byId<E extends HTMLElement>(page: Document, id: string, type: new () => E): E {
  const found = page.getElementById(id);
  if (!(found instanceof type)) {
    throw new Error(`the page has no ${type.name} with id “${id}”`);
  }
  return found;
}

/** A new element whose only content is text: nothing a peer sent is ever parsed as HTML. */
export function textElement(page: Document, tag: string, className: string, text: string): HTMLElement {
  const made = page.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Enter submits the form, Shift+Enter makes a new line, and an input method's Enter is left alone. */
export function submitOnEnter(area: HTMLTextAreaElement, form: HTMLFormElement): void {
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}
