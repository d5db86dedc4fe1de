// The chat that Openline serves to Socket.IO clients too, and the settings it runs with.
export const options = {
  transports: ["websocket"],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
};

export function serveChat(io) {
  io.on("connection", (socket) => {
    socket.on("join-room", (room) => {
      socket.join(room);
      io.to(room).emit("system", `${socket.id} joined ${room}`);
    });
    socket.on("chat", ({ room, text }, acknowledge) => {
      io.to(room).emit("chat", { from: socket.id, text, timestamp: Date.now() });
      acknowledge?.({ status: "delivered" });
    });
  });
}
