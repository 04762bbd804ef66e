// Loads the page anew when the workshop has another version of the site than the one shown.
const shown = document.querySelector('script[data-version]').dataset.version;
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

for (;;) {
  try {
    const answer = await fetch(`/_workshop/version?after=${shown}`, { cache: 'no-store' });
    const { version } = await answer.json();
    if (String(version) !== shown) {
      location.reload();
      break;
    }
  } catch {
    await pause(1000); // The server is being restarted.
  }
}
