export { type ClosePolicy, closePolicy } from "../codes.js";
