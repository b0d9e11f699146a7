// Shows answers. All texts are set as text, never as HTML.

import { drawHeat, hottest } from "./heat.js";
import { text, translate } from "./texts.js";

const byId = (id) => document.getElementById(id);

export const percent = (share) => `${(100 * share).toFixed(1)}%`;

/** A new element with its text, classes and children. */
export function element(tag, { content, classes = "", children = [] } = {}) {
  const created = document.createElement(tag);
  if (content !== undefined) created.textContent = content;
  created.className = classes;
  created.append(...children);
  return created;
}

/** Show the answers of all models, and how the nickname was read. */
export async function showAnswers({ arm, answers, seen }, nickname) {
  const image = seen && (await loaded(seen.image));
  byId("cards").replaceChildren(...answers.map((answer) => card(answer, answer.model === arm, image, seen)));
  byId("seen").hidden = !seen;
  if (seen) showNickname(seen, nickname);
  const { gender, probabilities } = answers.find(({ model }) => model === arm);
  const values = { arm, gender: text(gender), percent: percent(Math.max(...Object.values(probabilities))) };
  byId("status").textContent = text("done", values);
}

function card(answer, isChosen, image, seen) {
  const fragment = byId("answer-card").content.cloneNode(true);
  translate(fragment);
  const find = (selector) => fragment.querySelector(selector);
  const { gender, probabilities, weights } = answer;
  find(".card").classList.toggle("chosen", isChosen);
  find(".backbone").textContent = answer.backbone;
  find(".version").textContent = text("version", answer);
  find(".badge").textContent = text("chosen");
  find(".badge").hidden = !isChosen;
  const largest = percent(Math.max(probabilities.male, probabilities.female));
  find(".verdict").textContent =
    gender === "unknown"
      ? text("undecided", { percent: percent(answer.unknown_below) })
      : text("verdict", { gender: text(gender), percent: largest });
  find(".probabilities").append(
    ...Object.entries(probabilities).map(([name, p]) => bar(text("probability", { gender: text(name) }), p, name)),
  );
  find(".weights").append(...Object.entries(weights).map(([name, share]) => bar(text(`inputs.${name}`), share, name)));
  find(".gradcam").hidden = !answer.heat;
  if (answer.heat) showHeat(find("canvas"), find("figcaption"), answer, image, seen.avatar);
  find("tbody").append(...steps(answer));
  return fragment;
}

function bar(label, share, kind) {
  const fill = element("span", { classes: `fill ${kind}` });
  fill.style.transform = `scaleX(${share})`;
  const track = element("span", { classes: "track", children: [fill] });
  const value = element("span", { classes: "value", content: percent(share) });
  return element("div", { classes: "bar", children: [element("span", { content: label }), track, value] });
}

function showHeat(canvas, caption, { heat, logit }, image, isPresent) {
  drawHeat(canvas, image, heat);
  const place = hottest(heat);
  const values = { gender: text(logit > 0 ? "female" : "male"), logit: logit.toFixed(2) };
  if (!isPresent) caption.textContent = text("noHeat");
  else if (!place) caption.textContent = text("flat", values);
  else caption.textContent = text("heat", { ...values, place: text("places")[place[0]][place[1]] });
  canvas.setAttribute("aria-label", caption.textContent);
}

function steps(answer) {
  const rows = answer.steps.map(([name, ms]) => row(name, ms));
  rows.push(row("total", answer.total_ms, "sum"));
  if (answer.explain_ms !== undefined) rows.push(row("explain", answer.explain_ms));
  return rows;
}

function row(step, ms, classes = "") {
  const heading = element("th", { content: text(`steps.${step}`) ?? `${text("model")} ${step}` });
  heading.scope = "row";
  return element("tr", { classes, children: [heading, element("td", { content: ms.toFixed(1) })] });
}

function showNickname(seen, nickname) {
  const facts = [
    ["typed", nickname || text("empty")],
    ["normalized", seen.normalized || text("empty")],
  ];
  if (!seen.nickname) facts.push(["inputs.nickname", text("missing")]);
  if (!seen.avatar) facts.push(["inputs.avatar", text("missing")]);
  byId("text").replaceChildren(
    ...facts.flatMap(([name, value]) => [
      element("dt", { content: text(name) }),
      element("dd", { content: value }),
    ]),
  );
  byId("tokens").replaceChildren(
    ...seen.tokens.map(({ text: character, id, name }) => {
      const shown = character && character !== name ? `${character} → ${name}` : name;
      const label = element("small", { content: text("token", { id }) });
      return element("li", { children: [element("span", { content: shown === " " ? "␣" : shown }), label] });
    }),
  );
}

async function loaded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/** Show a failure in words; what the server said stands below, in its own language. */
export function showError(failure, limits) {
  const error = byId("error");
  error.hidden = !failure;
  byId("status").hidden = Boolean(failure);
  error.replaceChildren();
  if (!failure) return;
  error.append(text(`errors.${failure.code}`, { limits }) ?? text("errors.server"));
  if (failure.detail) {
    const detail = element("small", { content: failure.detail });
    detail.lang = "en";
    error.append(detail);
  }
}

/** Show which models answer; null means that the page's own server does not. */
export function showHealth(models) {
  const all = [{ name: text("page"), ready: Boolean(models) }, ...(models ?? [])];
  byId("health").replaceChildren(
    ...all.map(({ name, ready }) =>
      element("li", { classes: ready ? "" : "down", content: `${name}: ${text(ready ? "ready" : "down")}` }),
    ),
  );
}
