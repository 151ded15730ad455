// Before the first paint, so that a dark page never flashes white.
{
  let theme = null;
  try { theme = localStorage.getItem("theme"); } catch { /* storage is forbidden */ }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
