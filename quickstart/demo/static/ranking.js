// The cards chosen for the user: likes, and how they change the ranking.

import { text } from "./texts.js";
import { element, percent } from "./view.js";

const byId = (id) => document.getElementById(id);

export class Ranking {
  #ask;
  #ranked = null;
  #previous = [];
  #liked = []; // newest first
  #asked = 0;

  /** `ask({liked, personalize, seed})` returns a ranking, or null if that failed. */
  constructor(ask) {
    this.#ask = ask;
    byId("rank").addEventListener("click", () => this.ask());
    byId("personalize").addEventListener("change", () => this.ask());
    byId("explore").addEventListener("change", () => this.ask());
    byId("forget").addEventListener("click", () => {
      this.#liked = [];
      byId("rank").focus();
      this.ask();
    });
  }

  async ask() {
    const seed = byId("explore").checked ? Math.floor(Math.random() * 2 ** 31) : null;
    const asked = ++this.#asked;
    const [liked, personal] = [this.#liked, byId("personalize").checked];
    const ranked = await this.#ask({ liked, personalize: personal, seed });
    if (!ranked || asked !== this.#asked) return; // failed, or an answer to an earlier click
    this.#previous = this.#ranked?.cards.map(({ id }) => id) ?? [];
    this.#ranked = { ...ranked, likes: liked.length, personal, explored: seed !== null };
    this.show();
  }

  /** Show the ranking in the current language. */
  show() {
    byId("forget").hidden = !this.#liked.length;
    byId("forget").textContent = text("forget", { count: this.#liked.length });
    if (!this.#ranked) return;
    const { model, total_ms: ms, cards, likes, personal } = this.#ranked;
    byId("ranking-status").textContent = text(personal ? "ranked" : "notPersonal", {
      model, count: cards.length, ms: ms.toFixed(1), likes,
    });
    const focused = document.activeElement?.dataset.card;
    byId("ranked").replaceChildren(...cards.map((card, place) => this.#item(card, place)));
    if (focused) byId("ranked").querySelector(`[data-card="${focused}"]`)?.focus();
  }

  #item(card, place) {
    const picture = element("img");
    Object.assign(picture, { src: card.picture, alt: "" });
    const notes = [text("score", { percent: percent(card.score) })];
    if (this.#ranked.explored) notes.push(text("propensity", { percent: percent(card.propensity) }));
    const moved = this.#moved(card.id, place);
    if (moved) notes.push(moved);
    const title = element("div", { children: [
      element("span", { content: card.title }),
      ...notes.map((content) => element("small", { content })),
    ] });
    return element("li", { children: [picture, title, this.#button(card)] });
  }

  #button({ id, title }) {
    const isLiked = this.#liked.includes(id);
    const button = element("button", { content: `${isLiked ? "♥" : "♡"} ${text("like")}` });
    button.type = "button";
    button.dataset.card = id;
    button.setAttribute("aria-pressed", isLiked);
    button.setAttribute("aria-label", `${text("like")}: ${title}`);
    button.addEventListener("click", () => {
      this.#liked = isLiked ? this.#liked.filter((each) => each !== id) : [id, ...this.#liked];
      this.show();
      this.ask();
    });
    return button;
  }

  #moved(id, place) {
    if (!this.#previous.length) return "";
    const before = this.#previous.indexOf(id);
    if (before < 0) return text("newCard");
    if (before === place) return "";
    return text(before > place ? "rose" : "fell", { places: Math.abs(before - place) });
  }
}
