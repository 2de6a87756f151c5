"use strict";
// The key is kept for this tab alone, so that it survives a reload and goes with the tab.
const KEPT = "authorized";

const systemTheme = window.matchMedia("(prefers-color-scheme: dark)");
function followTheSystem() {
  document.documentElement.classList.toggle("dark-mode", systemTheme.matches);
}
systemTheme.addEventListener("change", followTheSystem);
followTheSystem();

// The documented answers are folded away; those of a call that was tried are open.
function FoldedResponses(Original, system) {
  const element = system.React.createElement;
  return (props) =>
    element(
      "details",
      { className: "answers", open: Boolean(props.tryItOutResponse) },
      element("summary", null, "Answers"),
      element(Original, props),
    );
}

function keepTheKey(original, system) {
  return (payload) => {
    const result = original(payload);
    const authorized = system.authSelectors.authorized().toJS();
    if (Object.keys(authorized).length) {
      sessionStorage.setItem(KEPT, JSON.stringify(authorized));
    } else {
      sessionStorage.removeItem(KEPT);
    }
    return result;
  };
}

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#viewer",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
  plugins: [
    {
      wrapComponents: { responses: FoldedResponses },
      statePlugins: { auth: { wrapActions: { authorize: keepTheKey, logout: keepTheKey } } },
    },
  ],
  onComplete: () => {
    const kept = sessionStorage.getItem(KEPT);
    if (kept) ui.authActions.authorize(JSON.parse(kept));
  },
});
