// The page: what the user does, and what is shown.

import { base64, Failure, get, getPicture, post } from "./api.js";
import { takePicture } from "./camera.js";
import { Ranking } from "./ranking.js";
import { setLanguage, text, translate } from "./texts.js";
import { element, showAnswers, showError, showHealth } from "./view.js";

const HEALTH_MS = 5000;
const THEMES = ["auto", "light", "dark"];
const byId = (id) => document.getElementById(id);

// Nothing is kept beyond this page: neither cookies nor storage.
const state = { language: "en", theme: "auto", avatar: null, examples: [], health: null, answer: null, failure: null };

function limits() {
  const found = state.health?.limits;
  return found && text("limits", {
    formats: found.avatar_formats.join(", "),
    mebibytes: found.avatar_bytes / 2 ** 20,
    megapixels: found.avatar_pixels / 1e6,
    bytes: found.nickname_bytes,
  });
}

/** Show the whole page in the current language. */
function render() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.theme = state.theme;
  document.title = text("title");
  translate(document);
  byId("language").textContent = text("otherLanguage");
  byId("language").lang = state.language === "zh" ? "en" : "zh-CN";
  byId("theme").textContent = text("theme", { name: text(`themes.${state.theme}`) });
  byId("picture").alt = text("picture");
  byId("limits").textContent = limits() ?? "";
  showExamples();
  showHealth(state.health?.models);
  showError(state.failure, limits());
  if (state.answer) showAnswers(state.answer, state.nickname);
  ranking.show();
}

/** The user as the form describes them. */
async function user() {
  if (state.avatar?.size > state.health?.limits.avatar_bytes) throw new Failure("too_large");
  const avatar = state.avatar ? await base64(state.avatar) : "";
  return { avatar, nickname: byId("nickname").value, user_id: byId("user-id").value, arm: byId("arm").value };
}

const ranking = new Ranking(async (options) => {
  let ranked = null;
  await attempt(async () => {
    ranked = await post("api/rank", { ...(await user()), ...options });
  });
  return ranked;
});

function showExamples() {
  byId("examples").replaceChildren(...state.examples.map((example, index) => {
    const picture = element(example.avatar ? "img" : "span", { classes: "blank" });
    if (example.avatar) Object.assign(picture, { src: `examples/${index}.jpg`, alt: "" });
    const name = example.nickname || text("noNickname");
    const button = element("button", { children: [picture, element("span", { content: name })] });
    button.type = "button";
    button.setAttribute("aria-label", text(example.avatar ? "exampleWith" : "example", { nickname: name }));
    button.addEventListener("click", () => useExample(example, index));
    return element("li", { children: [button] });
  }));
}

async function useExample({ nickname, avatar }, index) {
  byId("nickname").value = nickname;
  await attempt(async () => setAvatar(avatar ? await getPicture(`examples/${index}.jpg`) : null));
  if (!state.failure) await predict();
}

function setAvatar(blob) {
  const picture = byId("picture");
  if (picture.src) URL.revokeObjectURL(picture.src);
  state.avatar = blob;
  picture.hidden = byId("remove").hidden = !blob;
  byId("no-picture").hidden = Boolean(blob);
  if (blob) picture.src = URL.createObjectURL(blob);
  else picture.removeAttribute("src");
}

async function predict() {
  await attempt(async () => {
    const question = await user();
    byId("status").textContent = text("asking");
    Object.assign(state, { answer: await post("api/answer", question), nickname: question.nickname });
    await showAnswers(state.answer, state.nickname);
  });
  if (state.failure) byId("status").textContent = "";
  if (state.health?.ranks && !state.failure) await ranking.ask();
}

/** Do something, and show in words if it fails. */
async function attempt(action) {
  state.failure = null;
  showError(null);
  try {
    await action();
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    state.failure = failure;
    showError(failure, limits());
  }
}

async function watchHealth() {
  const known = Boolean(state.health);
  try {
    state.health = await get("api/health");
  } catch {
    state.health = state.health && { ...state.health, models: null };
  }
  showHealth(state.health?.models);
  if (!known && state.health) {
    byId("arm").append(...state.health.arms.map((arm) => new Option(arm, arm)));
    byId("limits").textContent = limits();
    byId("ranking").hidden = !state.health.ranks;
  }
  setTimeout(watchHealth, HEALTH_MS);
}

function switchLanguage(language) {
  state.language = language;
  setLanguage(language);
  render();
}

function chooseFile(files) {
  if (files?.length) setAvatar(files[0]);
}

function listen() {
  byId("language").addEventListener("click", () => switchLanguage(state.language === "en" ? "zh" : "en"));
  byId("theme").addEventListener("click", () => {
    state.theme = THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length];
    render();
  });
  byId("user").addEventListener("submit", (event) => {
    event.preventDefault();
    predict();
  });
  byId("file").addEventListener("change", ({ target }) => {
    chooseFile(target.files);
    // So that the same file can be chosen again.
    target.value = "";
  });
  byId("remove").addEventListener("click", () => {
    setAvatar(null);
    byId("file").focus();
  });
  byId("open-camera").addEventListener("click", () => attempt(async () => {
    try {
      const picture = await takePicture();
      if (picture) setAvatar(picture);
    } catch (error) {
      throw new Failure("camera", error.message);
    }
  }));
  document.addEventListener("paste", ({ clipboardData }) => chooseFile(clipboardData.files));
  const drop = byId("drop");
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    chooseFile(event.dataTransfer.files);
  });
}

listen();
switchLanguage(navigator.language.startsWith("zh") ? "zh" : "en");
watchHealth();
attempt(async () => {
  state.examples = await get("api/examples");
  showExamples();
});
