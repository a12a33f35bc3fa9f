// Shows the description of the API, and sends its requests as the user who has logged in.
"use strict";

const docs = document.getElementById("docs");

window.ui = SwaggerUIBundle({
    dom_id: "#docs",
    url: docs.dataset.schema,
    deepLinking: true,
    // Would ask a server elsewhere.
    validatorUrl: null,
    requestInterceptor: (request) => {
        const isOurs = new URL(request.url, document.baseURI).origin === window.location.origin;
        if (isOurs && request.method && request.method !== "GET") {
            request.headers[docs.dataset.csrfHeader] = docs.dataset.csrfToken;
        }
        return request;
    },
});
