// Shows what a page of this browser has to tell while another one is in front. It keeps nothing
// and answers no requests: without the box there is nothing to show.
"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const to = event.notification.data?.to ?? "/";
  event.waitUntil(self.clients.matchAll({ type: "window" }).then((pages) => {
    // Not one in which somebody may be typing.
    const page = pages.find((one) => ["/", "/wall"].includes(new URL(one.url).pathname));
    return page ? page.focus().then((shown) => shown.navigate(to)).catch(() => undefined) : self.clients.openWindow(to);
  }));
});
