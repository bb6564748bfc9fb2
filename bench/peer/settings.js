// Node-RED as a careful person would run it for this: context in files, no editor, little log.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: 18851,
  httpAdminRoot: false,
  contextStorage: { default: { module: "localfilesystem" }, memory: { module: "memory" } },
  credentialSecret: false,
  functionGlobalContext: {},
  logging: { console: { level: "warn" } },
  telemetry: { enabled: false, updateNotification: false },
};
